export function render({ model }) {
  const said = document.createElement('p');
  said.setAttribute('role', 'status');
  said.setAttribute('data-testid', 'announced');
  said.tabIndex = -1;
  said.style.cssText = 'position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap;';
  // What had the focus may be gone with what was there before. Then it is here, before the pieces
  // that are new: the next Tab reaches the first of them, and an Enter of a reader presses nothing.
  let looks = 0, timer = 0;
  const catchFocus = () => {
    const at = document.activeElement;
    if (said.isConnected && (!at || at === document.body)) said.focus({ preventScroll: true });
    if (--looks <= 0) clearInterval(timer);
  };
  model.on('text', () => {
    said.textContent = model.text;
    clearInterval(timer);
    looks = 6;  // a slow screen puts its pieces in late; a field that takes the focus keeps it
    timer = setInterval(catchFocus, 400);
  });
  model.on('remove', () => clearInterval(timer));
  return said;
}
