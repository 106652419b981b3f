"""Who speaks when in mono recordings: segmentation, speaker embeddings, clustering."""
