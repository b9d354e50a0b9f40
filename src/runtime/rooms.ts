import type { AnswerRoom } from './answer-room.ts';
import type { UploadRoom } from './upload-room.ts';

/** The memory of a node that its listeners share. */
export interface Rooms {
  readonly answers: AnswerRoom;
  readonly uploads: UploadRoom;
}
