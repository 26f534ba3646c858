"""What `bench/gateway` is made of: programs side by side, load, measurements, aims."""
