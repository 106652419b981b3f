/* The evaluation form: quotes go to the current criterion, which is always shown, and what is filled in is saved as a draft. */
(function () {
  var form = document.getElementById("evaluation"), asked = Array.from(document.querySelectorAll(".asked > li")),
    count = document.querySelector("[data-count]");
  if (!form || !asked.length) return;
  var chosen = form.elements.current, target = document.getElementById("quotes-to"), current = null;

  function setCurrent(item) {
    current = item;
    asked.forEach(function (one) { one.classList.toggle("current", one === item); });
    /* nothing moves, or a click could miss what it aims at */
    chosen.value = target.value = item.dataset.criterion;
  }
  function byId(id) { return asked.find(function (item) { return item.dataset.criterion === id; }) || asked[0]; }
  function answered() {
    count.textContent = count.dataset.count + " "
      + asked.filter(function (item) { return item.querySelector("input:checked"); }).length + " / " + asked.length;
  }
  asked.forEach(function (item) {
    item.addEventListener("focusin", function () { setCurrent(item); });
    item.addEventListener("change", answered);
  });
  target.addEventListener("change", function () { setCurrent(byId(target.value)); current.scrollIntoView({ block: "nearest" }); });
  document.querySelector(".pick-hint").hidden = false;
  document.querySelector(".quotes-to").hidden = false;
  document.querySelectorAll(".pick").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("mousedown", function (event) { event.preventDefault(); });  /* the selection stays */
    button.addEventListener("click", function (event) {
      event.stopPropagation();
      var turn = button.closest("li"), words = turn.querySelector("q"), selection = window.getSelection(), text = "";
      if (!selection.isCollapsed && words.contains(selection.anchorNode) && words.contains(selection.focusNode)
        && !selection.getRangeAt(0).cloneContents().querySelector("[data-text]"))
        text = String(selection).trim();
      current.querySelector("[name^=turn_]").value = turn.dataset.turn;
      current.querySelector("[name^=quote_]").value = text;
      current.scrollIntoView({ block: "nearest" });
      changed();
    });
  });

  /* The draft: saved a moment after the last change, one request at a time, and on leaving the page. */
  var DELAY_MS = 800, timer = null, isDirty = false, isSaving = false, isSubmitting = false, isRefused = false,
    draftStatus = document.querySelector("[data-draft]");
  function body() { return new URLSearchParams(new FormData(form)); }
  function changed() {
    isDirty = true;
    clearTimeout(timer);
    timer = setTimeout(save, DELAY_MS);
  }
  function save() {
    if (isSaving || isSubmitting || !isDirty) return;
    isDirty = false; isSaving = true;
    form.pending = window.callgrade.send("/evaluate/draft", body).then(function (answer) {
      isRefused = answer.status === 403;
      if (answer.ok) draftStatus.textContent = draftStatus.dataset.saved + " " + new Date().toLocaleTimeString(
        { en: "en-GB" }[document.documentElement.lang] || document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
      else { isDirty = true; draftStatus.textContent = draftStatus.dataset.unsaved; }
    }, function () { isDirty = true; draftStatus.textContent = draftStatus.dataset.unsaved; }).finally(function () {
      isSaving = false;
      if (isDirty && !isRefused) { clearTimeout(timer); timer = setTimeout(save, 10 * DELAY_MS); }
    });
  }
  form.addEventListener("input", changed);
  document.addEventListener("callgrade:signed-in", function () { if (isRefused && isDirty) changed(); });
  document.addEventListener("submit", function (event) {  /* a draft that is still under way is waited for: `pending` */
    if (event.target === form || event.target.action.endsWith("/evaluate/discard")) { isSubmitting = true; clearTimeout(timer); }
  }, true);
  form.addEventListener("callgrade:not-sent", function () { isSubmitting = false; });
  window.addEventListener("pagehide", function () {
    if (isDirty && !isSubmitting) fetch("/evaluate/draft", { method: "POST", body: body(), keepalive: true })
      .catch(function () { /* the page is being closed */ });
  });

  setCurrent(byId(chosen.value));
  answered();
  var wrong = form.querySelector("[autofocus]");
  if (wrong) { wrong.focus({ preventScroll: true }); wrong.scrollIntoView({ block: "center", behavior: "instant" }); }
})();
