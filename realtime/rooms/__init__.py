"""Rooms: two singers on one stage, each a live session of this server, and listeners without a microphone.

What is sung is relayed by its place in the song, so whoever hears it can put it in line to the sample.
"""
