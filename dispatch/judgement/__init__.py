"""What dispatch decides, without a driver, a clock or chance: tables and functions of their arguments."""
