const { facts } = await (await fetch('/data/facts.json')).json();
document.querySelector('#facts').textContent = facts.join(' ');
