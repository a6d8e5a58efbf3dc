"""Everything outside the platform: a city of homes, its gas, meters, detectors, telephones and technicians."""
