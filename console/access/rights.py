"""What each role may do, as one table. Decides nothing beyond it; a place (district, crew) is the business of ``scope``."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

Role = Literal["viewer", "operator", "dispatcher", "technician", "supervisor", "engineer", "auditor", "integration"]
Right = Literal[
    "read",
    "read_people",
    "unmask",
    "remark",
    "hotline",
    "close_valve",
    "device_command",
    "order_step",
    "order_desk",
    "assign",
    "hold",
    "task",
    "handover",
    "export",
    "users",
    "tokens",
    "audit",
    "demo",
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
ALL_RIGHTS: Final[frozenset[Right]] = frozenset(get_args(Right))

_DESK: Final[frozenset[Right]] = frozenset(
    {"read", "read_people", "unmask", "remark", "hotline", "close_valve", "device_command", "order_desk", "hold", "task", "handover"}
)

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    "viewer": frozenset({"read"}),
    "operator": _DESK,
    "dispatcher": _DESK | {"assign"},
    "technician": frozenset({"read", "read_people", "remark", "device_command", "order_step"}),
    "supervisor": _DESK | {"assign", "export", "users", "audit"},
    "engineer": frozenset({"read", "remark", "device_command", "export", "users", "tokens", "audit"}),
    "auditor": frozenset({"read", "export", "audit"}),
    # A machine has no more of these than its token names, and never a person's eye (unmask) nor the keys (users, tokens).
    "integration": frozenset(
        {"read", "read_people", "remark", "hotline", "close_valve", "device_command", "order_step", "order_desk", "assign", "hold", "task"}
    ),
}

ROLE_NAMES: Final[Mapping[Role, tuple[str, str]]] = {
    "viewer": ("观看", "viewer"),
    "operator": ("值班员", "operator"),
    "dispatcher": ("调度员", "dispatcher"),
    "technician": ("抢修人员", "technician"),
    "supervisor": ("值班长", "supervisor"),
    "engineer": ("工程师", "engineer"),
    "auditor": ("审计员", "auditor"),
    "integration": ("系统对接", "integration"),
}

RIGHT_NAMES: Final[Mapping[Right, tuple[str, str]]] = {
    "read": ("查看", "look"),
    "read_people": ("查看有未结事件住户的姓名电话", "see names and telephone numbers where an incident is open"),
    "unmask": ("说明理由后查看姓名电话", "see names and telephone numbers elsewhere, with a reason"),
    "remark": ("备注", "remark"),
    "hotline": ("登记报漏", "report a gas smell"),
    "close_valve": ("切断", "close a valve"),
    "device_command": ("设备自检与上报", "ask a device to test itself or to report"),
    "order_step": ("填报本队抢修单", "take the steps of his own crew's orders"),
    "order_desk": ("代填抢修单", "enter steps on a technician's behalf"),
    "assign": ("派单", "assign orders"),
    "hold": ("设置与解除阀门保持", "set and lift holds"),
    "task": ("处理人工任务", "finish tasks"),
    "handover": ("交接班", "hand a shift over"),
    "export": ("导出", "export"),
    "users": ("管理用户", "manage users"),
    "tokens": ("管理接口令牌", "manage API tokens"),
    "audit": ("查看审计记录", "read the audit record"),
    "demo": ("操作演示", "run the demonstration"),
}


def rights_of(roles: frozenset[Role]) -> frozenset[Right]:
    """The union over the roles."""
    return frozenset[Right]().union(*(RIGHTS[role] for role in roles))


def roles_with(right: Right) -> list[Role]:
    """The roles that have a right, in the order of the table."""
    return [role for role in ROLES if right in RIGHTS[role]]
