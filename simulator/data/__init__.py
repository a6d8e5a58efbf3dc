"""The real places that the simulated city stands on; see PROVENANCE.md."""
