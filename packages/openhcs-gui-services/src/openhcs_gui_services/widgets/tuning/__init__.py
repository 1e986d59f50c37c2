"""The strip below the images that shows what an edit of the pipeline does."""
