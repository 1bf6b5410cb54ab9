"""The small plant that tests of screens work in: people, rights, materials, one short recipe."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.people import ROLES
from core.recipe import Step, StepKind

ZONE = ZoneInfo("Europe/Berlin")
PIN = "482913"
PEOPLE = {  # id: printed name, badge, roles
    "olga": ("Olga Ortmann", "BADGE-OLGA", ("operator",)),
    "viktor": ("Viktor Vogel", "BADGE-VIKTOR", ("operator",)),
    "sana": ("Sana Sommer", "BADGE-SANA", ("supervisor",)),
    "quinn": ("Quinn Quast", "BADGE-QUINN", ("qa",)),
    "erik": ("Erik Ernst", "BADGE-ERIK", ("engineer",)),
    "dora": ("Dora Dietz", "BADGE-DORA", ("director",)),
    "finn": ("Finn Fuchs", "BADGE-FINN", ("finance",)),
    "ada": ("Ada Adler", "BADGE-ADA", ("admin",)),
}
FLOOR_ROLES = ("operator", "supervisor")
MATRIX: dict[str, tuple[str, ...]] = {
    "plant.adopt-authority": ("admin",),
    "plant.adopt-signing-gates": ("qa",),
    "plant.adopt-severity-rules": ("qa",),
    "person.record-failed-authentication": ("service",),
    "person.record-authentication": ("service",),
    "person.record-sign-in": ROLES,
    "person.link-identity": ("admin",),
    "person.confirm-identity": ("supervisor", "qa", "admin"),
    "person.register": ("admin",),
    "person.record-secret-change": ("service",),
    "person.register-passkey": ROLES,
    "person.revoke-passkey": ROLES,
    "person.record-sign-out": ROLES,
    "equipment.register": ("engineer",),
    "instrument.record-calibration": ("engineer",),
    "station.bind": ("engineer",),
    "daily-check.record": FLOOR_ROLES,
    "material.register": ("engineer",),
    "lot.receive": ("supervisor", "qa"),
    "lot.begin-at-weighing": FLOOR_ROLES,
    "lot.change-status": ("qa",),
    "recipe.draft": ("engineer",),
    "recipe.submit": ("engineer",),
    "recipe.approve": ("supervisor", "qa"),
    "recipe.make-effective": ("qa",),
    "order.open": ("supervisor",),
    "order.dispatch": ("supervisor",),
    "weighing.scan-container": FLOOR_ROLES,
    "weighing.record-tare": FLOOR_ROLES,
    "weighing.record-weight": FLOOR_ROLES,
    "weighing.record-deviating-weight": FLOOR_ROLES,
    "step.complete": FLOOR_ROLES,
    "step.verify": FLOOR_ROLES,
    "step.correct": FLOOR_ROLES,
    "weighing.reverse": FLOOR_ROLES,
    "deviation.disposition": ("qa",),
    "deviation.close": ("qa",),
    "deviation.link-capa": ("qa",),
    "deviation.report-capa": ("qa",),
    "batch.review-exception": ("qa",),
    "batch.review-audit-trail": ("qa",),
    "batch.release": ("qa",),
    "batch.reject": ("qa",),
    "batch.print-record": ("qa",),
    "batch.close-record": ("service",),
    "batch.seal-record": ("service",),
    "batch.reopen": ("qa",),
    "amendment.correct": ("qa", "supervisor"),
    "amendment.comment": ("qa", "supervisor"),
    "amendment.release": ("qa",),
    "amendment.reject": ("qa",),
    "line.start-run": FLOOR_ROLES,
    "line.end-run": FLOOR_ROLES,
    "stop.label": FLOOR_ROLES,
    "telemetry.seal": ("service",),
    "clock.record-step": ("service",),
    "erp-door.record-locked": ("service",),
    "key.rotate": ("service",),
    "key.revoke": ("qa", "engineer"),
    "key.name-recovery": ("qa", "engineer"),
    "key.recover": ("service",),
}
MATERIALS = {  # id: name, GTIN, hazards
    "PARA": ("Paracetamol", "04012345000016", ("H302 Harmful if swallowed",)),
    "LACT": ("Lactose monohydrate", "04012345000023", ()),
    "PVP": ("Povidone K30", "04012345000030", ("Dust: wear a mask", "Slippery when wet")),
    "CCNA": ("Croscarmellose sodium", "04012345000047", ("Dust: wear a mask",)),
}
LOTS = {"PA-1001": "PARA", "LA-2291": "LACT", "PV-3302": "PVP", "CC-4410": "CCNA"}
SCALES = {"SC-B1": "B1-0001", "SC-B2": "B2-0002"}


def _weigh(step: str, material: str, *, kg: str, low: str, high: str) -> Step:
    name = MATERIALS[material][0]
    return Step(
        step=step, phase="Dispense", title=f"Weigh {name}", kind=StepKind.WEIGH,
        instruction=f"Weigh {kg} kg of {name} into a clean container.", verify=True,
        material=material, target=Decimal(kg) * 1000, low=Decimal(low) * 1000,
        high=Decimal(high) * 1000, unit="g", work_center="B1",
    )  # fmt: skip


STEPS = (
    Step(step="10", phase="Prepare", title="Clear the booth", kind=StepKind.CLEARANCE,
         instruction="Check that no material, label or document of the last batch is left.",
         verify=True),
    Step(step="20", phase="Prepare", title="Daily check of the scale", kind=StepKind.DAILY_CHECK,
         instruction="Weigh the check weight."),
    _weigh("30", "PVP", kg="1.800", low="1.782", high="1.818"),
    _weigh("40", "CCNA", kg="2.400", low="2.376", high="2.424"),
    Step(step="50", phase="Granulate", title="Granulate", kind=StepKind.CONFIRM,
         instruction="Granulate for 8 minutes at 250 rpm."),
    Step(step="60", phase="Dry", title="Loss on drying", kind=StepKind.CHECK, unit="%",
         instruction="Dry to the end point, take a sample, measure the loss on drying.",
         target=Decimal("2.0"), low=Decimal("1.0"), high=Decimal("3.0"), verify=True),
    Step(step="70", phase="Compress", title="Compress on L1", kind=StepKind.CONFIRM,
         instruction="Compress at 600 mg, 12 mm, 90 N.", work_center="L1"),
    Step(step="80", phase="Pack", title="Yield", kind=StepKind.YIELD, unit="kg",
         instruction="Weigh the good tablets and enter their mass.",
         target=Decimal("60"), low=Decimal("58.2"), high=Decimal("61.8")),
    Step(step="90", phase="Pack", title="Reconcile labels", kind=StepKind.LABELS, unit="EA",
         instruction="Count the labels: issued, used, returned, destroyed.", verify=True),
)  # fmt: skip
# what an ERP beside that plant knows
ERP_SEED: dict[str, Any] = {
    "items": [
        {"code": code, "name": name, "unit": "KGM", "gtin": gtin, "standard_cost": "1"}
        for code, (name, gtin, _) in MATERIALS.items()
    ]
    + [{"code": "PARA500", "name": "Tablets", "unit": "KGM", "gtin": None, "standard_cost": "9"}],
    "boms": [
        {"product": "PARA500", "quantity": "60", "unit": "KGM", "lines": [
            {"item": "PVP", "quantity": "1.8", "unit": "KGM"},
            {"item": "CCNA", "quantity": "2.4", "unit": "KGM"},
        ]}
    ],
    "orders": [
        {"id": f"100{n}", "product": "PARA500", "quantity": "60", "unit": "KGM",
         "due_at": "2027-11-25T06:00:00Z", "priority": None, "customer": None}
        for n in range(1, 5)
    ],
    "lots": [
        {"item": item, "lot": lot, "quantity": "75", "unit": "KGM"} for lot, item in LOTS.items()
    ],
}  # fmt: skip
