"""What the people at the desk work with: finding, the map, the day's promise, remarks, the board, and handing a shift over."""
