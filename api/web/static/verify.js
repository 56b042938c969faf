// Drop a PDF on the zone: it lands in the form's own file field and the form is sent. Without this the form works as it is.
const form = document.querySelector("form.drop");
const file = form?.querySelector('input[type="file"]');

if (form && file) {
  const over = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    form.classList.toggle("is-over", event.type !== "dragleave");
  };
  for (const name of ["dragenter", "dragover", "dragleave"]) form.addEventListener(name, over);

  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("is-over");
    if (!event.dataTransfer?.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    file.files = one.files;
    send();
  });

  // A file dropped beside the zone would replace the page; catch it.
  for (const name of ["dragover", "drop"]) {
    window.addEventListener(name, (event) => event.preventDefault());
  }

  file.addEventListener("change", () => {
    if (file.files.length) send();
  });

  const send = () => {
    form.querySelector("[data-waiting]").hidden = false;
    form.requestSubmit();
  };
}
