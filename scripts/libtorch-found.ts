/**
 * Exit 0 when there is a libtorch to build against, 1 when set-up has to install one; prints where
 * it is.
 */
import { findLibtorch, noLibtorch } from '../src/tensor/libtorch.ts';

try {
  const { version, libraries } = findLibtorch(true);
  console.log(`libtorch ${version} (${libraries})`);
} catch (error) {
  const message = (error as Error).message;
  console.error(message);
  // A LIBTORCH that names a wrong folder is for the build to complain about, not a reason to
  // install another.
  process.exitCode = message === noLibtorch ? 1 : 0;
}
