"""What the technician's phone needs: his orders with everything inside, live answers, and a place for photos and signatures."""
