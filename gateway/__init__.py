"""Bytes -> trusted items. The devices' only door, up and down. Hosts the line: gateway and alarm engine run in one process."""
