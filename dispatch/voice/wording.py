"""The few words of the telephone itself: what is said after a key. Everything else is worded by dispatch.

Promises nothing that this worker cannot know, such as a crew on its way.
"""

from typing import Final

from dispatch.voice.protocol import Language, Reason

AFTER_KEY: Final[dict[str, dict[Language, str]]] = {
    "1": {
        "zh": "已收到。请留在室外，在燃气公司人员确认安全之前，不要返回。",
        "en": "Thank you, noted. Stay outside. Do not go back in until our staff tell you that it is safe.",
    },
    "2": {
        "zh": "已收到，您需要帮助。我们正在加急处理。如果可以，请马上离开房屋。",
        "en": "Noted: you need help. We are raising this now. If you can, leave the house at once.",
    },
    "9": {
        "zh": "已收到，这不是您的家。打扰了，我们会更正号码。",
        "en": "Noted: this is not your home. We are sorry, and will correct the number.",
    },
}
"""Spoken once when the key was pressed; then the call is ended. Other keys are reported and change nothing."""

MEANING: Final[dict[str, Reason]] = {"1": "confirmed", "2": "help_asked", "9": "wrong_home"}
