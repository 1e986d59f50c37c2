"""The panel of plates on the page of ``zmqruntime web``: plate map, heat maps, thumbnails and failed wells."""
