// Where the focus is, kept by name: a place may be drawn anew while something else has the focus.
const PLACES = 'a[href], summary, details, button, input, select, textarea, [data-key]';
const nameOf = el => el && (el.getAttribute('data-key') || el.getAttribute('href') || el.getAttribute('data-id'));
const placeIn = (root, held) => held && [...root.querySelectorAll(PLACES)].find(el => nameOf(el) === held);
const focusedNow = () => { let el = document.activeElement; while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement; return el === document.body ? null : el; };
const everywhere = (root, held) => {
  const here = placeIn(root, held);
  if (here || !held) return here;
  for (const el of root.querySelectorAll('*')) { const inner = el.shadowRoot && everywhere(el.shadowRoot, held); if (inner) return inner; }
  return null;
};
// Whoever works by keys goes on where the dialog was opened: at its button or link, or at what bears
// the same name now. Nothing was focused where an address opened it: `otherwise` names a place then.
const giveBack = (dialog, otherwise = () => null) => {
  let opener = null, held = null;
  return {
    show() { opener = focusedNow(); held = opener ? nameOf(opener) : otherwise(); dialog.showModal(); },
    close() {
      dialog.close();
      const still = opener?.isConnected && !dialog.contains(opener), back = still ? opener : everywhere(document, held);
      if (back && focusedNow() !== back) back.focus({ preventScroll: still });
    },
  };
};
