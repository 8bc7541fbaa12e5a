"""Scores of generated images: extractors, inception score, FID, and the protocol that goes with them."""
