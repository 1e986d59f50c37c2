"""What a window knows of its plates and their wells."""
