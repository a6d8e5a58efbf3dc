"""The UDP ports on which the SIP stack sends and hears sound, for whoever starts one."""

from typing import Final

SOUND_PORTS: Final = "rtp_ports 32768-60999\n"
"""A line of the stack's configuration: the ports that the system lends to whoever passes. Left to itself the stack takes any from 1024 up,
and with many calls under way sooner or later one on which another server of this machine is about to listen.
"""
