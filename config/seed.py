"""A pack put to work: the same commands that people give, each once.

Whoever installs registers the administrator and puts the authority matrix in force; from then
on people act. What is there already is left alone, so a second seed changes nothing and a
seed that was cut short goes on where it stopped.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from config.accounts import Accounts
from config.load import policy, recipe_content
from config.plant import EquipmentItem, LotItem, PlantPack
from core.authority import AdoptAuthority, PlantRules
from core.boundary import SignBoundaryPolicy
from core.clock import now
from core.equipment import (
    BindStation,
    Equipment,
    RecordCalibration,
    RegisterEquipment,
    Station,
)
from core.execution import Actor, Credentials, Execution
from core.fact import Command
from core.material import (
    ChangeLotStatus,
    ContainerQuantity,
    Lot,
    LotStatus,
    Material,
    ReceiveLot,
    RegisterMaterial,
)
from core.people import INSTALLER, Person, RegisterPerson
from core.quantity import convert
from core.recipe import (
    PRODUCTION,
    QUALITY,
    ApproveRecipe,
    DraftRecipe,
    MakeRecipeEffective,
    MasterRecipe,
    RecipeState,
    SubmitRecipe,
    version_name,
)
from core.severity import IN_FORCE, AdoptSeverityRules, SeverityRules
from core.signing_gates import AdoptSigningGates, SigningGates

STATION = "office"
WHY = {
    LotStatus.RELEASED: "Certificate of analysis and identity test agree with the specification.",
    LotStatus.REJECTED: "Identity test failed. Returned to the supplier.",
    LotStatus.ON_HOLD: "Held until the supplier has answered.",
    LotStatus.RESTRICTED: "For trial batches only.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What a seed did: commands given, and entries in the ledger after it."""

    commands: int
    entries: int


class Seeder:
    """Gives a pack's commands to a plant.

    `simulated` marks the people as a demo's crew; `on` is the day that days are counted from.
    """

    def __init__(
        self,
        execution: Execution,
        pack: PlantPack,
        accounts: Accounts,
        *,
        simulated: bool = False,
        at: datetime | None = None,
    ) -> None:
        self._execution = execution
        self._nouns = execution.nouns
        self._pack = pack
        self._accounts = accounts
        self._simulated = simulated
        zone = ZoneInfo(pack.plant.plant.zone)
        self._on: date = (at or now()).astimezone(zone).date()
        self._given = 0

    def run(self) -> Seeded:
        """Give every command whose result is not there yet."""
        self._install()
        self._people()
        self._boundary()
        self._signing_gates()
        self._severity()
        self._equipment()
        self._materials()
        self._lots()
        self._recipe()
        return Seeded(commands=self._given, entries=self._execution.ledger.size())

    def _who(self, role: str) -> str:
        return next(one.id for one in self._pack.people.people if role in one.roles)

    def _idem(self, name: str) -> str:
        return f"seed:{self._pack.id}:{name}"

    def _give(self, command: Command, *, by: str, name: str, reason: str | None = None) -> None:
        self._execution.submit(
            command, actor=Actor(by, STATION), idem=self._idem(name), reason=reason
        )
        self._given += 1

    def _sign(self, command: Command, *, by: str, name: str) -> None:
        signer = Credentials(secret=self._accounts[by].secret, user=by)
        self._execution.submit(
            command, actor=Actor(by, STATION), idem=self._idem(name), credentials=signer
        )
        self._execution.end_signing_period(STATION)
        self._given += 1

    def _register(self, person: str, *, by: str) -> None:
        if self._nouns.get(Person, person) is not None:
            return
        account = self._accounts[person]
        command = RegisterPerson(
            person=person,
            name=account.name,
            badge=account.badge,
            roles=account.roles,
            simulated=self._simulated,
        )
        self._execution.register(
            command,
            secret=account.secret,
            actor=Actor(by, STATION),
            idem=self._idem(f"person:{person}"),
        )
        self._given += 1

    def _install(self) -> None:
        plant = self._pack.plant.plant
        if self._nouns.get(PlantRules, self._pack.id) is not None:
            return
        self._register(self._who("admin"), by=INSTALLER)
        adopt = AdoptAuthority(
            plant=self._pack.id, zone=plant.zone, matrix=self._pack.authority.matrix
        )
        self._give(adopt, by=INSTALLER, name="authority")

    def _people(self) -> None:
        for one in self._pack.people.people:
            self._register(one.id, by=self._who("admin"))

    def _boundary(self) -> None:
        rules = self._nouns.get(PlantRules, self._pack.id)
        if rules is not None and rules.policies:
            return
        boundary = policy(self._pack)
        signing = SignBoundaryPolicy(
            plant=self._pack.id,
            profile=boundary.profile,
            decisions=boundary.decisions,
            why=boundary.says,
            seen=self._execution.seen(f"plant/{self._pack.id}"),
        )
        self._sign(signing, by=self._who("qa"), name="boundary-policy")

    def _signing_gates(self) -> None:
        authority = self._nouns.get(PlantRules, self._pack.id)
        if authority is None or "plant.adopt-signing-gates" not in authority.matrix:
            return
        if self._nouns.get(SigningGates, self._pack.id) is not None:
            return
        it = self._pack.signatures
        adopt = AdoptSigningGates(
            plant=self._pack.id,
            gates=it.gates,
            idle_minutes=it.idle_minutes,
            kiosk_components=it.kiosk_components,
        )
        self._give(adopt, by=self._who("qa"), name="signing-gates")

    def _severity(self) -> None:
        authority = self._nouns.get(PlantRules, self._pack.id)
        if authority is None or "plant.adopt-severity-rules" not in authority.matrix:
            return  # an older plant: its matrix is adopted by a person first
        if self._nouns.get(SeverityRules, IN_FORCE) is not None:
            return
        rules = self._pack.plant.severity
        adopt = AdoptSeverityRules(
            kinds=rules.kinds,
            active_materials=rules.active_materials,
            active=rules.active,
            far_factor=rules.far_factor,
            far=rules.far,
            source=rules.source,
        )
        self._give(adopt, by=self._who("qa"), name="severity-rules")

    def _equipment(self) -> None:
        engineer = self._who("engineer")
        for one in self._pack.plant.equipment:
            state = self._nouns.get(Equipment, one.id)
            if state is None:
                self._give(_registration(one), by=engineer, name=f"equipment:{one.id}")
            if one.calibration is not None and (state is None or state.certificate is None):
                self._give(
                    RecordCalibration(
                        equipment=one.id,
                        certificate=one.calibration.certificate,
                        calibrated_on=self._day(-one.calibration.calibrated_days_ago),
                        due_on=self._day(one.calibration.due_in_days),
                    ),
                    by=engineer,
                    name=f"calibration:{one.id}:{one.calibration.certificate}",
                )
        for kiosk in self._pack.plant.stations:
            if self._nouns.get(Station, kiosk.id) is None:
                bind = BindStation(
                    station=kiosk.id, room=kiosk.room, scale=kiosk.scale, printer=kiosk.printer
                )
                self._give(bind, by=engineer, name=f"station:{kiosk.id}")

    def _day(self, days: int) -> date:
        return self._on + timedelta(days=days)

    def _materials(self) -> None:
        for one in self._pack.materials.materials:
            if self._nouns.get(Material, one.id) is None:
                command = RegisterMaterial(
                    material=one.id,
                    name=one.name,
                    unit=one.unit,
                    gtin=one.gtin,
                    hazards=one.hazards,
                )
                self._give(command, by=self._who("engineer"), name=f"material:{one.id}")

    def _lots(self) -> None:
        for one in self._pack.lots.lots:
            state = self._nouns.get(Lot, one.lot)
            if state is None:
                self._receive(one)
            if one.status is LotStatus.QUARANTINE:
                continue
            if state is None or state.status is LotStatus.QUARANTINE:
                seen = self._execution.seen(f"lot/{one.lot}")
                why = WHY.get(one.status, "As stated in the plant pack.")
                change = ChangeLotStatus(lot=one.lot, status=one.status, why=why, seen=seen)
                self._sign(change, by=self._who("qa"), name=f"lot-status:{one.lot}:{seen.ver}")

    def _receive(self, one: LotItem) -> None:
        material = next(it for it in self._pack.materials.materials if it.id == one.material)
        each = convert(one.each, one.unit, material.unit)
        command = ReceiveLot(
            lot=one.lot,
            material=one.material,
            supplier=one.supplier,
            unit=material.unit,
            containers=tuple(
                ContainerQuantity(container=name, quantity=each) for name in one.container_names
            ),
            expires_on=self._day(one.expires_in_days),
            assay_percent=one.assay_percent,
            assay_basis=one.assay_basis,
        )
        self._give(command, by=self._who("supervisor"), name=f"lot:{one.lot}")

    def _recipe(self) -> None:
        content = recipe_content(self._pack.recipe)
        name = version_name(content)
        engineer, qa = self._who("engineer"), self._who("qa")
        if self._nouns.get(MasterRecipe, name) is None:
            self._give(DraftRecipe(content=content), by=engineer, name=f"recipe:{name}:draft")
        recipe = self._nouns.get(MasterRecipe, name)
        assert recipe is not None, name
        if recipe.state is RecipeState.DRAFT:
            self._give(SubmitRecipe(recipe=name), by=engineer, name=f"recipe:{name}:submit")
        if recipe.state in (RecipeState.DRAFT, RecipeState.IN_REVIEW):
            signed = dict(recipe.approvals)
            for party, person in ((PRODUCTION, self._who("supervisor")), (QUALITY, qa)):
                if party not in signed:
                    seen = self._execution.seen(f"recipe/{name}")
                    approve = ApproveRecipe(recipe=name, party=party, seen=seen)
                    self._sign(approve, by=person, name=f"recipe:{name}:{party}:{seen.ver}")
        if recipe.state in (RecipeState.DRAFT, RecipeState.IN_REVIEW, RecipeState.APPROVED):
            effective = MakeRecipeEffective(recipe=name)
            self._give(effective, by=qa, name=f"recipe:{name}:effective")


def _registration(one: EquipmentItem) -> RegisterEquipment:
    return RegisterEquipment(
        equipment=one.id,
        kind=one.kind,
        name=one.name,
        area=one.area,
        serial=one.serial,
        capacity_g=one.capacity_g,
        readability_g=one.readability_g,
        check_weight_g=one.check_weight_g,
        check_tolerance_percent=one.check_tolerance_percent,
        check_valid_h=one.check_valid_h,
        scale=one.scale,
    )


def seed(
    execution: Execution,
    pack: PlantPack,
    accounts: Accounts,
    *,
    simulated: bool = False,
    at: datetime | None = None,
) -> Seeded:
    """Put a pack to work in a started plant; what is there already is left alone."""
    assert execution.plant == pack.id, (execution.plant, pack.id)
    assert at is None or at.astimezone(UTC) == at
    return Seeder(execution, pack, accounts, simulated=simulated, at=at).run()
