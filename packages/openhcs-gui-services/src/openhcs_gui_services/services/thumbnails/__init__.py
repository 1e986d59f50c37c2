"""The small pictures of the wells of a plate, made and kept in the background. Without Qt."""
