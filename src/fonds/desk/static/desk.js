// Keys of the desk. Every key presses a button or follows a link that is on the page: nothing works by key alone.
// It runs before the page is drawn and looks things up at the key, so that a key pressed at first sight is not lost.
"use strict";
(() => {
  let marked = -1;

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) document.getElementById("keys").showModal();
  });
  document.addEventListener("keydown", (event) => {
    const dialog = document.getElementById("keys");
    const comment = document.querySelector("[data-comment]");
    const listed = [...document.querySelectorAll(".queue a")];
    const mark = (number) => {
      marked = Math.max(0, Math.min(listed.length - 1, number));
      listed[marked].focus();
    };
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const writing = event.target.closest("textarea, input, select");
    if (writing) {
      if (event.key === "Escape") writing.blur();
      return;
    }
    if (dialog.open) return;
    const key = event.key.toLowerCase();
    if (key === "?") {
      dialog.showModal();
    } else if (key === "c" && comment) {
      comment.focus();
    } else if (listed.length && (key === "j" || key === "k")) {
      const at = listed.indexOf(document.activeElement);
      mark((at >= 0 ? at : marked) + (key === "j" ? 1 : -1));
    } else if (listed.length && event.key === "Enter" && document.activeElement === document.body) {
      listed[0].click();
    } else {
      const target = /^[a-z]$/.test(key) && document.querySelector(`[data-key="${key}"]`);
      if (!target) return;
      target.click();
    }
    event.preventDefault();
  });
})();
