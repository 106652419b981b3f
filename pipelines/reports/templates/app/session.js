/* A session that ends while somebody fills in a form: the form stays, the person signs in again in a dialog,
   and the form is sent with the new token. */
(function () {
  var POLL_MS = 3000, LONGEST_POLL_MS = 600000, waiting = null;
  function template() { return document.getElementById("sign-in-again"); }
  function refresh(token) {
    document.querySelectorAll("input[name=token]").forEach(function (field) { field.value = token; });
    var player = document.querySelector(".player[data-token]");
    if (player) player.dataset.token = token;
  }
  /* The session as the server knows it; its token goes into the forms of this page if it is that of the person the page was made for. */
  function session() {
    return fetch("/sign-in/session", { redirect: "manual" }).then(function (answer) {
      if (answer.type === "opaqueredirect") return { account: null };  /* to the sign-in page */
      if (!answer.ok) throw new Error(answer.status);
      return answer.json();
    }).then(function (found) {
      var isMine = found.account !== null && found.account === template().dataset.account;
      if (isMine) {
        refresh(found.token); notify(null);
        document.dispatchEvent(new CustomEvent("callgrade:signed-in"));
      }
      return { isMine: isMine, isOther: found.account !== null && !isMine };
    });
  }
  /* A line at the top of the window: the session has ended, or the server cannot be reached. */
  function notify(text, withButton) {
    var bar = document.querySelector(".session-bar");
    if (bar) bar.remove();
    if (!text) return;
    bar = document.createElement("div");
    bar.className = "session-bar"; bar.setAttribute("role", "alert");
    bar.append(text);
    if (withButton) {
      var button = document.createElement("button");
      button.type = "button"; button.textContent = template().dataset.open;
      button.addEventListener("click", signInAgain);
      bar.append(button);
    }
    document.body.prepend(bar);
  }
  /* The dialog; true once the person who filled in the page has signed in, false when it is closed before. */
  function signInAgain() {
    if (waiting) return waiting;
    var dialog = template().content.querySelector("dialog").cloneNode(true), form = dialog.querySelector("form"),
      problem = dialog.querySelector(".note"), poll = null;
    function say(text) { problem.textContent = text; problem.hidden = !text; }
    document.body.append(dialog);
    waiting = new Promise(function (done) {
      function end(isDone) {
        clearInterval(poll); window.removeEventListener("focus", look); dialog.remove(); waiting = null; done(isDone);
      }
      function look() {  /* the person may have signed in in another window */
        return session().then(function (found) {
          if (found.isMine) end(true);
          else if (found.isOther) say(template().dataset.other);
        }, function () { say(template().dataset.offline); });
      }
      form.addEventListener("submit", function (event) {
        event.preventDefault(); event.stopPropagation();
        say("");
        fetch("/sign-in").then(function (answer) { return answer.text(); }).then(function (text) {
          var token = new DOMParser().parseFromString(text, "text/html").querySelector("input[name=token]").value;
          return fetch("/sign-in", { method: "POST", body: new URLSearchParams({
            name: form.elements.name.value, password: form.elements.password.value, token: token, next: "/sign-in/done"
          }) });
        }).then(function (answer) {
          return answer.text().then(function (text) {
            return { isOk: answer.ok, page: new DOMParser().parseFromString(text, "text/html") };
          });
        }).then(function (found) {
          if (found.isOk) return look();
          var note = found.page.querySelector("main [role=alert], main h1");
          say(note ? note.textContent : template().dataset.ended);
          form.elements.password.value = ""; form.elements.password.focus();
        }).catch(function () { say(template().dataset.offline); });
      });
      dialog.querySelector("[data-cancel]").addEventListener("click", function () { end(false); });
      dialog.addEventListener("cancel", function () { end(false); });
      window.addEventListener("focus", look);
      dialog.querySelectorAll("a[target=_blank]").forEach(function (link) {  /* the provider, in another window */
        link.addEventListener("click", function () {
          clearInterval(poll);
          poll = setInterval(look, POLL_MS);
          setTimeout(function () { clearInterval(poll); }, LONGEST_POLL_MS);
        });
      });
      dialog.showModal();
    });
    return waiting;
  }
  function ensure() { return session().then(function (found) { return found.isMine || signInAgain(); }); }

  document.addEventListener("submit", function (event) {
    var form = event.target, button = event.submitter;
    if (event.defaultPrevented || form.method !== "post" || form.dataset.checked || !template()
      || !form.querySelector("textarea, input:not([type=hidden])")) return;
    event.preventDefault();
    if (form.dataset.waiting) return;  /* pressed twice */
    form.dataset.waiting = "1";
    Promise.resolve(form.pending).then(ensure).catch(function () {
      notify(template().dataset.offline); return false;
    }).then(function (isReady) {
      delete form.dataset.waiting;
      if (!isReady) { form.dispatchEvent(new CustomEvent("callgrade:not-sent")); return; }
      form.dataset.checked = "1";
      if (button && button.isConnected) form.requestSubmit(button); else form.requestSubmit();
      delete form.dataset.checked;
    });
  });
  window.callgrade = {
    /* Send a form in the background; when the session has ended, a line says so and offers to sign in again. */
    send: function (path, body) {
      return fetch(path, { method: "POST", body: body() }).then(function (answer) {
        if (answer.status !== 403) return answer;
        return session().then(function (found) {
          if (found.isMine) return fetch(path, { method: "POST", body: body() });  /* signed in again elsewhere: the token was an old one */
          notify(template().dataset.ended, true);
          return answer;
        });
      });
    },
  };
})();
