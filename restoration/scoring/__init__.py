"""`restore score`: how close results are to clean pictures, and how sure that is."""
