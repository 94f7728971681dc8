// A click on a picture plays from there; one recording sounds at a time, and a line shows where it is.
const audios = [...document.querySelectorAll('audio')];
for (const audio of audios) {
  const picture = audio.parentElement.querySelector('.picture');
  const line = picture.querySelector('i');
  const seconds = Number(picture.dataset.seconds);
  const follow = () => {
    line.style.opacity = '1';
    line.style.left = `${(100 * audio.currentTime) / seconds}%`;
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener('play', () => {
    audios.filter((other) => other !== audio).forEach((other) => other.pause());
    follow();
  });
  audio.addEventListener('seeked', follow);
  picture.addEventListener('click', (event) => {
    const box = picture.getBoundingClientRect();
    audio.currentTime = ((event.clientX - box.left) / box.width) * seconds;
    audio.play();
  });
}
