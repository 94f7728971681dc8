"""From a song to a stage: its melody as notes, key, tempo and phrases; lyrics; key and tempo changed."""
