/** Made by the build: the outlines of all land as one SVG path, in tenths of degrees, north up. */
declare module 'virtual:land' {
  export const land: string;
}
