"""Plates that are not in a folder: in buckets, on web servers and in archives; how their files are named and read."""
