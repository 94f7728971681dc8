"""RVC voices: what a checkpoint is, and how it sings."""
