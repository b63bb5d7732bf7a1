"""How a network is called and run: adapted to a method, in windows, in small copies, on a device."""
