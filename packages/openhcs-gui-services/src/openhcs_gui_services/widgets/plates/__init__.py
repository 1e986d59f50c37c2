"""The plate manager: table, plate map, details of wells, and the actions on plates."""
