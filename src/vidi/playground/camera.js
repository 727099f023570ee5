// A picture from the camera.

/** Show the camera in a dialog; gives the picture as a File, or null if the dialog is closed. */
export async function takePicture(dialog) {
  const video = dialog.querySelector('video');
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: 'environment', width: { ideal: 1920 } },
  });
  video.srcObject = stream;
  dialog.showModal();
  const chosen = await new Promise((resolve) => {
    dialog.onclick = ({ target }) => target.value && resolve(target.value);
    dialog.onclose = () => resolve('close');
  });
  const file = chosen === 'take' ? await still(video) : null;
  stream.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  dialog.close();
  return file;
}

async function still(video) {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));
  return new File([blob], 'camera.jpg', { type: 'image/jpeg' });
}
