"""The names of all native features: what each is, its unit, its name in cp_measure and its source."""

import re
from dataclasses import dataclass
from enum import StrEnum

CELLPROFILER = "Carpenter et al., Genome Biology 7:R100, 2006"
HARALICK = "Haralick, Shanmugam & Dinstein, IEEE Trans. SMC 3(6), 1973"
_MANDERS = "Manders, Verbeek & Aten, J. Microscopy 169, 1993"
_SINGAN = "Singan et al., BMC Bioinformatics 12:407, 2011"
_COSTES = "Costes et al., Biophysical Journal 86, 2004"
_BOLAND = "Boland, Markey & Murphy, Cytometry 33, 1998"
_HU = "Hu, IRE Trans. Information Theory 8(2), 1962"
_RAVKIN = "Ravkin & Temov, Applied Informatics 14, 1988"
_BENKRID = "Benkrid & Crookes, 2000, by scikit-image"
_CROFTON = "Legland, Kiêu & Devaux, Image Analysis & Stereology 26, 2007, by scikit-image"
_FERET = "Feret, La grosseur des grains des matières pulvérulentes, 1930"

CP_MEASURE_DIRECTIONS = {"0": "00", "135": "01", "90": "02", "45": "03"}
"""What cp_measure calls the angles of textures, which are in degrees from the x axis, counted against the clock."""


class FeatureGroup(StrEnum):
    """Groups of features that are measured together."""

    SHAPE = "shape"
    """Size, shape, place and moments."""
    ZERNIKE = "zernike"
    """Zernike moments of the shape, and of the brightness in each channel."""
    INTENSITY = "intensity"
    """Brightness of each channel."""
    RADIAL = "radial"
    """Distribution of brightness from the centre to the edge."""
    GRANULARITY = "granularity"
    """Sizes of grains."""
    TEXTURE = "texture"
    """Haralick's features."""
    COLOCALISATION = "colocalisation"
    """Colocalisation of each pair of channels."""
    NEIGHBOURS = "neighbours"
    """Objects nearby; measured by ``measure_neighbours`` only."""
    TRACKING = "tracking"
    """Tracks over time; measured by ``track_objects`` only."""
    SPOTS = "spots"
    """Spots; measured by ``detect_spots`` only."""
    SKELETON = "skeleton"
    """Skeletons; measured by ``measure_skeleton`` only."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One name of the catalogue.

    Attributes:
        group: The group it belongs to.
        name: Its name, with ``<...>`` for what varies; the unit comes last.
        what: What it is.
        other: Its name in cp_measure with the same parts, empty if it has none.
        source: Where it was published.
        has_um: Whether there is a second column in micrometres, if the pixel size is known.
    """

    group: FeatureGroup
    name: str
    what: str
    other: str = ""
    source: str = CELLPROFILER
    has_um: bool = False

    @property
    def unit(self) -> str:
        """The unit as the name has it; empty for counts, ratios and camera counts."""
        last = self.name.rsplit("_", 1)[-1]
        return last if last in ("px", "px2", "um", "um2", "deg", "bit", "percent", "s") else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The name, and that in micrometres."""
        um = re.sub(r"_px(2?)(?=_|$)", r"_um\1", self.name)
        return (self.name, um) if self.has_um else (self.name,)

    def matches(self, column: str) -> bool:
        """Return whether a column has this name."""
        return any(re.fullmatch(_pattern(name), column) for name in self.names)

    def in_cp_measure(self, column: str) -> str:
        """Return the name in cp_measure of what a column measures; empty if it has none."""
        found = re.fullmatch(_pattern(self.name), column)
        name = self.other if found else ""
        for part, value in (found.groupdict() if found else {}).items():
            name = name.replace(f"<{part}>", value.upper())
            if part == "angle":
                name = name.replace("<direction>", CP_MEASURE_DIRECTIONS[value])
        return name


def feature_of(column: str) -> Feature | None:
    """Return the entry that describes a column without its channel; None if there is none."""
    return next((feature for feature in FEATURES if feature.matches(column)), None)


def _pattern(name: str) -> str:
    of_channels = re.sub(r"<(one|other)>", r"(?P<\1>\\w+)", name)
    return re.sub(r"(?<!\?P)<(\w+)>", r"(?P<\1>[A-Za-z0-9]+)", of_channels)


def _lengths(group: FeatureGroup, *rows: tuple[str, str, str, str]) -> tuple[Feature, ...]:
    return tuple(Feature(group, name, what, other, source, has_um=True) for name, what, other, source in rows)


_SHAPE = (
    *_lengths(
        FeatureGroup.SHAPE,
        ("area_px2", "area", "Area", CELLPROFILER),
        ("convex_area_px2", "area of the convex hull", "ConvexArea", CELLPROFILER),
        ("filled_area_px2", "area with its holes", "FilledArea", CELLPROFILER),
        ("perimeter_px", "length of the outline", "Perimeter", _BENKRID),
        ("perimeter_crofton_px", "length of the outline from lines that cross it", "PerimeterCrofton", _CROFTON),
        ("equivalent_diameter_px", "diameter of a circle of the same area", "EquivalentDiameter", CELLPROFILER),
        ("major_axis_px", "long axis of the ellipse with the same second moments", "MajorAxisLength", CELLPROFILER),
        ("minor_axis_px", "short axis of that ellipse", "MinorAxisLength", CELLPROFILER),
        ("radius_max_px", "largest distance of a pixel from the outside", "MaximumRadius", CELLPROFILER),
        ("radius_mean_px", "mean distance of the pixels from the outside", "MeanRadius", CELLPROFILER),
        ("radius_median_px", "median distance of the pixels from the outside", "MedianRadius", CELLPROFILER),
        ("feret_min_px", "smallest distance between parallel tangents", "MinFeretDiameter", _FERET),
        ("feret_max_px", "largest distance between parallel tangents", "MaxFeretDiameter", _FERET),
    ),
    Feature(FeatureGroup.SHAPE, "bounding_box_area_px2", "area of the bounding box", "BoundingBoxArea"),
    Feature(FeatureGroup.SHAPE, "extent", "area divided by that of the bounding box", "Extent"),
    Feature(FeatureGroup.SHAPE, "solidity", "area divided by that of the convex hull", "Solidity"),
    Feature(FeatureGroup.SHAPE, "euler_number", "parts minus holes", "EulerNumber"),
    Feature(FeatureGroup.SHAPE, "form_factor", "4 pi area / perimeter², 1 for a circle", "FormFactor"),
    Feature(FeatureGroup.SHAPE, "compactness", "perimeter² / (4 pi area)", "Compactness"),
    Feature(FeatureGroup.SHAPE, "eccentricity", "of the ellipse, 0 for a circle", "Eccentricity"),
    Feature(
        FeatureGroup.SHAPE,
        "orientation_deg",
        "of the long axis, from the x axis towards the y axis, 0 to 180",
        "Orientation",
    ),
    Feature(FeatureGroup.SHAPE, "centroid_<axis>_px", "centre", "Center_<axis>"),
    Feature(FeatureGroup.SHAPE, "bounding_box_min_<axis>_px", "first row, column", "BoundingBoxMinimum_<axis>"),
    Feature(
        FeatureGroup.SHAPE, "bounding_box_max_<axis>_px", "row, column after the last", "BoundingBoxMaximum_<axis>"
    ),
    Feature(FeatureGroup.SHAPE, "moment_spatial_<p>_<q>", "raw moment, row^p column^q", "SpatialMoment_<p>_<q>", _HU),
    Feature(FeatureGroup.SHAPE, "moment_central_<p>_<q>", "central moment", "CentralMoment_<p>_<q>", _HU),
    Feature(FeatureGroup.SHAPE, "moment_normalized_<p>_<q>", "scaled central moment", "NormalizedMoment_<p>_<q>", _HU),
    Feature(FeatureGroup.SHAPE, "moment_hu_<k>", "moment invariant", "HuMoment_<k>", _HU),
    Feature(FeatureGroup.SHAPE, "inertia_<i>_<j>_px2", "entry of the inertia tensor", "InertiaTensor_<i>_<j>"),
    Feature(FeatureGroup.SHAPE, "inertia_major_px2", "its larger eigenvalue", "InertiaTensorEigenvalues_0"),
    Feature(FeatureGroup.SHAPE, "inertia_minor_px2", "its smaller eigenvalue", "InertiaTensorEigenvalues_1"),
)

_ZERNIKE = (
    Feature(
        FeatureGroup.ZERNIKE, "zernike_<n>_<m>", "magnitude of the moment of the shape", "Zernike_<n>_<m>", _BOLAND
    ),
    Feature(
        FeatureGroup.ZERNIKE,
        "radial_zernike_magnitude_<n>_<m>",
        "magnitude of the moment of the brightness",
        "RadialDistribution_ZernikeMagnitude_<n>_<m>",
        _BOLAND,
    ),
    Feature(
        FeatureGroup.ZERNIKE,
        "radial_zernike_phase_<n>_<m>_deg",
        "its phase",
        "RadialDistribution_ZernikePhase_<n>_<m>",
        _BOLAND,
    ),
)

_INTENSITY = (
    *(
        Feature(FeatureGroup.INTENSITY, f"intensity_{part}{name}", f"{what} of {where}", f"Intensity_{other}{suffix}")
        for part, where, suffix in (("", "the pixels", ""), ("edge_", "the pixels at the edge", "Edge"))
        for name, what, other in (
            ("sum", "sum", "IntegratedIntensity"),
            ("mean", "mean", "MeanIntensity"),
            ("std", "standard deviation", "StdIntensity"),
            ("min", "smallest", "MinIntensity"),
            ("max", "largest", "MaxIntensity"),
        )
    ),
    Feature(FeatureGroup.INTENSITY, "intensity_lower_quartile", "lower quartile", "Intensity_LowerQuartileIntensity"),
    Feature(FeatureGroup.INTENSITY, "intensity_median", "median", "Intensity_MedianIntensity"),
    Feature(FeatureGroup.INTENSITY, "intensity_upper_quartile", "upper quartile", "Intensity_UpperQuartileIntensity"),
    Feature(FeatureGroup.INTENSITY, "intensity_mad", "median absolute deviation", "Intensity_MADIntensity"),
    Feature(
        FeatureGroup.INTENSITY,
        "mass_displacement_px",
        "distance of the centre of brightness from the centre",
        "Intensity_MassDisplacement",
        has_um=True,
    ),
    Feature(
        FeatureGroup.INTENSITY,
        "intensity_centroid_<axis>_px",
        "centre of brightness",
        "Location_CenterMassIntensity_<axis>",
    ),
    Feature(FeatureGroup.INTENSITY, "intensity_max_<axis>_px", "brightest pixel", "Location_MaxIntensity_<axis>"),
)

_RADIAL = tuple(
    Feature(FeatureGroup.RADIAL, f"radial_{name}_<k>of<rings>", what, f"RadialDistribution_{other}_<k>of<rings>")
    for name, what, other in (
        ("fraction", "share of the brightness in ring k from the centre", "FracAtD"),
        ("mean_fraction", "that share divided by the share of the pixels", "MeanFrac"),
        ("cv", "coefficient of variation of eight wedges of the ring", "RadialCV"),
    )
)

_GRANULARITY = (
    Feature(
        FeatureGroup.GRANULARITY,
        "granularity_<k>_percent",
        "brightness that opening step k removes",
        "Granularity_<k>",
        _RAVKIN,
    ),
)

_TEXTURE = tuple(
    Feature(
        FeatureGroup.TEXTURE,
        f"texture_{name}_d<distance>_a<angle>{'_bit' if is_bits else ''}",
        f"{what}, of pairs at a distance in pixels and an angle in degrees",
        f"{other}_<distance>_<direction>_256",
        HARALICK,
    )
    for name, what, other, is_bits in (
        ("angular_second_moment", "uniformity", "AngularSecondMoment", False),
        ("contrast", "mean squared difference", "Contrast", False),
        ("correlation", "correlation", "Correlation", False),
        ("variance", "variance", "Variance", False),
        ("inverse_difference_moment", "homogeneity", "InverseDifferenceMoment", False),
        ("sum_average", "mean of the sums", "SumAverage", False),
        ("sum_variance", "variance of the sums", "SumVariance", False),
        ("sum_entropy", "entropy of the sums", "SumEntropy", True),
        ("entropy", "entropy", "Entropy", True),
        ("difference_variance", "variance of the frequencies of differences", "DifferenceVariance", False),
        ("difference_entropy", "entropy of the differences", "DifferenceEntropy", True),
        ("info_measure_1", "first measure of information in correlation", "InfoMeas1", False),
        ("info_measure_2", "second measure of information in correlation", "InfoMeas2", False),
    )
)

_COLOCALISATION = tuple(
    Feature(FeatureGroup.COLOCALISATION, f"{name}_<one>_<other>", what, f"Correlation_{other}", source)
    for name, what, other, source in (
        ("pearson", "Pearson's correlation", "Pearson", CELLPROFILER),
        ("slope", "slope of the regression of the other channel on the one", "Slope", CELLPROFILER),
        ("overlap_k", "overlap relative to the one channel", "K_1", _MANDERS),
        ("overlap", "overlap of bright pixels", "Overlap", _MANDERS),
        ("manders_costes", "share of the one channel above Costes' threshold", "Costes_1", _COSTES),
        ("manders", "share of the one channel where both are bright", "Manders_1", _MANDERS),
        ("rwc", "that share weighted by ranks", "RWC_1", _SINGAN),
    )
)

_NEIGHBOURS = (
    Feature(FeatureGroup.NEIGHBOURS, "neighbour_count", "objects within the distance", "Neighbors_NumberOfNeighbors_5"),
    Feature(FeatureGroup.NEIGHBOURS, "touching_count", "objects that touch it", "Neighbors_NumberOfNeighbors_Adjacent"),
    Feature(
        FeatureGroup.NEIGHBOURS,
        "touching_percent",
        "pixels of the edge that touch others",
        "Neighbors_PercentTouching_Adjacent",
    ),
    Feature(FeatureGroup.NEIGHBOURS, "neighbour_first_label", "label of the closest"),
    Feature(FeatureGroup.NEIGHBOURS, "neighbour_second_label", "label of the next"),
    *_lengths(
        FeatureGroup.NEIGHBOURS,
        ("neighbour_first_px", "distance of the centres", "Neighbors_FirstClosestDistance_5", CELLPROFILER),
        ("neighbour_second_px", "distance of the centres", "Neighbors_SecondClosestDistance_5", CELLPROFILER),
    ),
    Feature(
        FeatureGroup.NEIGHBOURS,
        "neighbour_angle_deg",
        "angle between the directions to both",
        "Neighbors_AngleBetweenNeighbors_5",
    ),
)

_JAQAMAN = "Jaqaman et al., Nature Methods 5, 2008, by laptrack"
_TRACKING = (
    Feature(FeatureGroup.TRACKING, "track", "number of the track", source=_JAQAMAN),
    Feature(FeatureGroup.TRACKING, "parent_track", "track that it splits from; missing if none", source=_JAQAMAN),
    Feature(FeatureGroup.TRACKING, "track_age_frames", "frames since the track began", source=_JAQAMAN),
    Feature(FeatureGroup.TRACKING, "displacement_px", "distance from the object before", source=_JAQAMAN, has_um=True),
    Feature(
        FeatureGroup.TRACKING,
        "displacement_total_px",
        "distance from where the track began",
        source=_JAQAMAN,
        has_um=True,
    ),
    Feature(
        FeatureGroup.TRACKING,
        "speed_px_per_frame",
        "distance from the object before, divided by the frames between",
        source=_JAQAMAN,
        has_um=True,
    ),
    Feature(FeatureGroup.TRACKING, "speed_um_per_s", "the same, if the time between frames is given", source=_JAQAMAN),
)

_LINDEBERG = "Lindeberg, Int. J. Computer Vision 30(2), 1998"
_SPOTS = (
    Feature(FeatureGroup.SPOTS, "spot_<axis>_px", "place, finer than a pixel", source=_LINDEBERG, has_um=True),
    Feature(FeatureGroup.SPOTS, "spot_intensity", "brightness of the centre above the surroundings", source=_LINDEBERG),
    Feature(FeatureGroup.SPOTS, "spot_background", "median of the surroundings", source=_LINDEBERG),
    Feature(FeatureGroup.SPOTS, "spot_snr", "that brightness divided by the noise of the image", source=_LINDEBERG),
    Feature(FeatureGroup.SPOTS, "spot_response", "response of the filter", source=_LINDEBERG),
)

_ZHANG = "Zhang & Suen, Communications of the ACM 27(3), 1984, by scikit-image"
_SKELETON = (
    Feature(FeatureGroup.SKELETON, "skeleton_length_px", "length of all branches", source=_ZHANG, has_um=True),
    Feature(FeatureGroup.SKELETON, "skeleton_branch_count", "branches between ends and junctions", source=_ZHANG),
    Feature(FeatureGroup.SKELETON, "skeleton_end_count", "ends", source=_ZHANG),
    Feature(FeatureGroup.SKELETON, "skeleton_junction_count", "places where branches meet", source=_ZHANG),
)

FEATURES = (
    *_SHAPE,
    *_ZERNIKE,
    *_INTENSITY,
    *_RADIAL,
    *_GRANULARITY,
    *_TEXTURE,
    *_COLOCALISATION,
    *_NEIGHBOURS,
    *_TRACKING,
    *_SPOTS,
    *_SKELETON,
)
"""All names, by group."""
