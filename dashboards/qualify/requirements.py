"""What is to be shown, by the ids that the product's tests carry too."""

TITLES: dict[str, str] = {
    "B7": "Authority matrix: who may do what",
    "C1": "Steps in their order, with what each asks for",
    "C2": "A second person verifies",
    "C3": "Values within their limits, or a deviation",
    "C4": "Corrections keep the old value",
    "C5": "Contemporaneous: the server's clock, late entries with reason",
    "D3": "A weight comes from the scale, within limits",
    "D4": "Only the right material and lot",
    "H1": "Two components, and the signing period",
    "H2": "A signature shows name, time and meaning",
    "H3": "A signature is bound to its record",
    "H4": "Who may sign at a gate",
    "H5": "Audit trail: complete, append-only, verifiable",
    "H6": "The audit trail is reviewed before release",
    "H7": "Accounts: own, locked after failures, never reused",
    "H8": "Portable proof",
    "I3": "Release gates",
    "I4": "Immutable after release, revisions",
    "I7": "Records on paper",
    "K2": "A command is recorded once",
    "O3": "Plant pack",
    "P2": "The installation is what was released",
    "P3": "Configuration baseline",
}
# What the site still has to do: the report and the manual say so in these words.
FOR_PEOPLE: tuple[str, ...] = (
    "Performance qualification (PQ): your own recipes, your own people, your real scales, printers"
    " and network, over real batches. This run uses the pack that travels with the program, and a"
    " simulated scale.",
    "Your requirements, your risk assessment, and the decision which of these tests cover them.",
    "Procedures and training: accounts, lost badges, review of the audit trail, restore drills.",
    "The clauses in their current official text: they are cited here by number, not quoted.",
    "Review and approval of this report by people who did not run it.",
)
