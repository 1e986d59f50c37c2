"""The tables of a run: objects by set, images and wells, as Parquet or CSV."""
