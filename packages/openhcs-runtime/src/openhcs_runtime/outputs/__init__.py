"""Result files, each written completely or not at all."""
