"""One door to the broker: the port (``port``) and our implementation of it (``link``). Knows MQTT, nothing of gas."""
