"""Opera Phenix and Operetta CLS measurements."""
