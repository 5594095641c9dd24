"""PMI -> word vectors, by weighted alternating least squares."""
