"""Plays the platform's side against one device and says, point by point, what its firmware gets right and wrong."""
