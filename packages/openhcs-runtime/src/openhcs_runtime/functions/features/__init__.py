"""Features of objects, as cp_measure defines them: numeric kernels on arrays, and the steps that use them.

A kernel takes the ``Regions`` of a label image and pixels, and returns columns: one array (n,) for each name, with a
value for each object. Names have no channel.
"""
