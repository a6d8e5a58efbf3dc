"""Words to telephone sound. The synthesiser runs in a process of its own (``python -m dispatch.voice.speech``), over pipes.

espeak-ng is GPL-3: it is loaded by that process only, never by the one that holds the calls.
"""
