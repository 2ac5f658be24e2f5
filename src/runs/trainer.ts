// Entry of the child process that trains: the real classifier, whose TensorFlow is loaded here and nowhere else.
import {loadClassifier} from '../pipeline/load-classifier.js';
import {serveTrainer} from './trainer-process.js';

process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
serveTrainer(loadClassifier);
