document.getElementById("app").textContent = "fluxkeep";
