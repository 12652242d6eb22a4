// Keys of the desk. Every key presses a button or follows a link that is on the page: nothing works by key alone.
// It runs before the page is drawn; a key pressed while the rest of the page still arrives waits for it.
"use strict";
(() => {
  let marked = -1;

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) document.getElementById("keys").showModal();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const writing = event.target.closest("textarea, input:not([type=radio]), select");
    if (writing) {
      if (event.key === "Escape") writing.blur();
    } else if (document.readyState === "loading") {
      document.addEventListener("DOMContentLoaded", () => press(event.key), { once: true });
    } else if (press(event.key)) {
      event.preventDefault();
    }
  });

  // Does what the key stands for on this page; false when it stands for nothing.
  function press(name) {
    const dialog = document.getElementById("keys");
    const comment = document.querySelector("[data-comment]");
    const listed = [...document.querySelectorAll(".queue a")];
    const key = name.toLowerCase();
    if (dialog.open) return false;
    if (key === "?") {
      dialog.showModal();
    } else if (key === "c" && comment) {
      comment.focus();
    } else if (listed.length && (key === "j" || key === "k")) {
      const at = listed.indexOf(document.activeElement);
      marked = Math.max(0, Math.min(listed.length - 1, (at >= 0 ? at : marked) + (key === "j" ? 1 : -1)));
      listed[marked].focus();
    } else if (listed.length && key === "enter" && document.activeElement === document.body) {
      listed[0].click();
    } else {
      const target = /^[a-z0-9]$/.test(key) && document.querySelector(`[data-key="${key}"]`);
      if (!target) return false;
      target.click();
    }
    return true;
  }
})();
