/* Editing a scorecard: rows are added and removed, shares follow the weights, the draft is saved meanwhile; a preview shows progress. */
(function () {
  var DELAY_MS = 1500, POLL_MS = 1000;

  document.querySelectorAll("[data-rows]").forEach(function (group) {
    var list = group.querySelector("ol"), add = group.querySelector("[data-add]"), most = Number(group.dataset.rows);
    function arm(row) {
      var button = row.querySelector("[data-remove]");
      button.hidden = false;
      button.addEventListener("click", function () {
        var near = row.nextElementSibling || row.previousElementSibling;
        if (!near) row.querySelector("input").value = ""; else row.remove();
        (near || row).querySelector("input").focus();
        number();
        list.dispatchEvent(new Event("input", { bubbles: true }));
      });
    }
    function number() {
      Array.from(list.children).forEach(function (row, n) {
        var input = row.querySelector("input"), label = row.querySelector("label"), button = row.querySelector("[data-remove]");
        input.id = label.htmlFor = group.id + "-" + n;
        label.textContent = label.textContent.replace(/\d+\s*$/, n + 1);
        button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/\d+\s*$/, n + 1));
      });
      add.disabled = list.children.length >= most;
    }
    Array.from(list.children).forEach(arm);
    add.hidden = false;
    add.addEventListener("click", function () {
      var row = list.lastElementChild.cloneNode(true), input = row.querySelector("input"), problem = row.querySelector(".problem");
      input.value = "";
      input.removeAttribute("aria-invalid"); input.removeAttribute("aria-describedby");
      if (problem) problem.remove();
      list.append(row); arm(row); number(); input.focus();
    });
    number();
  });

  var weights = Array.from(document.querySelectorAll("[data-weight]"));
  function share() {
    var values = weights.map(function (input) { return parseFloat(input.value.replace(",", ".")) || 0; }),
      whole = values.reduce(function (sum, value) { return sum + value; }, 0),
      format = new Intl.NumberFormat(document.documentElement.lang, { style: "percent", maximumFractionDigits: 0 });
    weights.forEach(function (input, n) {
      input.closest("li").querySelector("[data-share]").textContent = whole ? format.format(values[n] / whole) : "–";
    });
  }
  weights.forEach(function (input) { input.addEventListener("input", share); });

  document.querySelectorAll("form[data-autosave]").forEach(function (form) {
    var timer = null, isDirty = false, isSaving = false, isSubmitting = false, told = form.querySelector("[data-draft]");
    function body() {
      var fields = new URLSearchParams(new FormData(form));
      fields.set("autosave", "1");
      return fields;
    }
    function save() {
      if (isSaving || isSubmitting || !isDirty) return;
      isDirty = false; isSaving = true;
      form.pending = window.callgrade.send(form.action, body).then(function (answer) {
        if (!answer.ok && answer.status !== 400) throw new Error(answer.status);
        return answer.json();
      }).then(function (found) {
        if (found.problems) { told.textContent = form.dataset.unsaved + " " + found.said; return; }
        if (found.seen && form.elements.seen) form.elements.seen.value = found.seen;
        told.textContent = form.dataset.saved + " " + new Date().toLocaleTimeString(
          { en: "en-GB" }[document.documentElement.lang] || document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
      }).catch(function () { isDirty = true; told.textContent = form.dataset.unsaved; }).finally(function () {
        isSaving = false;
        if (isDirty) { clearTimeout(timer); timer = setTimeout(save, 5 * DELAY_MS); }
      });
    }
    form.addEventListener("input", function () { isDirty = true; clearTimeout(timer); timer = setTimeout(save, DELAY_MS); });
    document.addEventListener("submit", function (event) {
      if (event.target === form) { isSubmitting = true; clearTimeout(timer); }
    }, true);
    form.addEventListener("callgrade:not-sent", function () { isSubmitting = false; });
    window.addEventListener("pagehide", function () {
      if (isDirty && !isSubmitting) fetch(form.action, { method: "POST", body: body(), keepalive: true })
        .catch(function () { /* nobody is left to be told */ });
    });
  });

  var bar = document.querySelector("[data-progress]");
  function poll() {
    fetch(bar.dataset.progress).then(function (answer) { return answer.json(); }).then(function (found) {
      if (found.state !== "running" && found.state !== "waiting") { location.reload(); return; }
      if (found.total) {
        bar.querySelector("progress").max = found.total;
        bar.querySelector("progress").value = found.done;
        bar.querySelector("[data-count]").textContent = found.done + " / " + found.total;
      }
      setTimeout(poll, POLL_MS);
    }).catch(function () { setTimeout(poll, 5 * POLL_MS); });
  }
  if (bar) setTimeout(poll, POLL_MS);

  var wrong = document.getElementById("p-form");
  if (wrong) wrong.focus();
})();
