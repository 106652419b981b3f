/* Quotes are taken from the transcript: the criterion worked on last gets the turn, and the words that are selected in it. */
(function () {
  var asked = Array.from(document.querySelectorAll(".asked > li")), current = null, count = document.querySelector("[data-count]");
  if (!asked.length) return;
  function work(item) {
    if (current) current.classList.remove("current");
    current = item;
    current.classList.add("current");
  }
  function answered() {
    count.textContent = count.dataset.count + " " + asked.filter(function (item) { return item.querySelector("input:checked"); }).length + " / " + asked.length;
  }
  asked.forEach(function (item) { item.addEventListener("focusin", function () { work(item); }); item.addEventListener("change", answered); });
  document.querySelector(".pick-hint").hidden = false;
  document.querySelectorAll(".pick").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("mousedown", function (event) { event.preventDefault(); });  /* the selection stays */
    button.addEventListener("click", function (event) {
      event.stopPropagation();
      var turn = button.closest("li"), words = turn.querySelector("q"), selection = window.getSelection(), text = "";
      if (!selection.isCollapsed && words.contains(selection.anchorNode) && words.contains(selection.focusNode) && !selection.getRangeAt(0).cloneContents().querySelector("[data-said]"))
        text = String(selection).trim();
      if (!current) work(asked.find(function (item) { return !item.querySelector("input:checked"); }) || asked[0]);
      current.querySelector("[name^=turn_]").value = turn.dataset.turn;
      current.querySelector("[name^=quote_]").value = text;
      current.scrollIntoView({ block: "nearest" });
    });
  });
  work(asked[0]);
  answered();
})();
