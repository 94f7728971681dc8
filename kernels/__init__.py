"""Hot loops that know no voice and no session."""
