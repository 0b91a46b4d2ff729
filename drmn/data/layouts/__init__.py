"""What a data set looks like on disk before anyone has converted it: one reader per layout.

==================  ==========================================================================
xlsa17              att_splits.mat, res101.mat (the proposed splits)
CUB_200_2011        images.txt, classes.txt, attributes/class_attribute_labels_continuous.txt
AwA2                classes.txt, predicates.txt, predicate-matrix-continuous.txt
SUN                 images.mat, attributes.mat, attributeLabels_continuous.mat
folder              images/<class>/*, attributes.csv, optionally splits.csv
==================  ==========================================================================
"""
